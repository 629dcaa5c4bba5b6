package agr

import "time"

// quota bounds how often something happens in a second. The zero value allows
// nothing.
type quota struct {
	limit int
	start time.Time // of the running second
	used  int
	over  int // refused in the running second
}

// take reports whether it may happen once more, and how often it was refused in
// the second that ended with this call, 0 if none did.
func (q *quota) take(now time.Time) (ok bool, refused int) {
	if now.Sub(q.start) >= time.Second {
		refused = q.over
		q.start, q.used, q.over = now, 0, 0
	}
	if q.used >= q.limit {
		q.over++
		return false, refused
	}
	q.used++
	return true, refused
}
