// Package slow is the codec of the slow-protocol frames that a link aggregate
// exchanges with its neighbour: LACPDUs (IEEE 802.1AX-2014 6.4.2) and Marker
// PDUs (6.5.3). It knows frames and fields, and no state machine.
//
//	frame from a port -> Subtype -> ParseLACPDU | ParseMarker
//	AppendLACPDU | AppendMarker | AppendMarkerReply -> frame to a port
//
// A receiver is liberal where the standard tells it to be: versions, TLV types
// and reserved octets are never a reason to reject a frame. A sender is strict:
// version 1, reserved octets zero.
package slow
