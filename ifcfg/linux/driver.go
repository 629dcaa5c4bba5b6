package linux

import (
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/netutil/eth"
	"ifagr/netutil/rtnl"
)

// linkTool is what media needs of a driver. *eth.Tool is one.
type linkTool interface {
	Settings(name string) (eth.Settings, error)
	SetLink(name string, l eth.LinkChange) error
	Pause(name string) (eth.Pause, error)
	SetPause(name string, p eth.Pause) error
}

// offloadTool is what capabilities need of a driver. *eth.Tool is one.
type offloadTool interface {
	Features(name string) (eth.Features, error)
	AllFeatures() (map[int]eth.Features, error)
	SetFeatures(name string, c eth.FeatureChange) error
	EEE(name string) (eth.EEE, error)
	SetEEE(name string, on bool) error
}

// ethtool opens the tool when it is first needed.
func (k *Kernel) ethtool() (*eth.Tool, error) {
	if k.tool == nil {
		t, err := eth.OpenTool()
		if err != nil {
			return nil, failed(err)
		}
		k.tool = t
	}
	return k.tool, nil
}

// driver gives an interface and the tool to ask its driver.
func (k *Kernel) driver(index int) (rtnl.Link, *eth.Tool, error) {
	l, err := k.at(index)
	if err != nil {
		return rtnl.Link{}, nil, err
	}
	t, err := k.ethtool()
	return l, t, err
}

// hardware reports an Ethernet interface that is none of the kernel's own
// making. Only such a one can have media, or save energy.
func hardware(l *rtnl.Link) bool { return l.Kind == "" && l.Type == unix.ARPHRD_ETHER }

// Media implements ifcfg.Driver.
func (k *Kernel) Media(index int) (*ifcfg.Media, error) {
	l, t, err := k.driver(index)
	if err != nil {
		return nil, err
	}
	return media(t, l.Name, l.Carrier)
}

// SetMedia implements ifcfg.Driver.
func (k *Kernel) SetMedia(index int, m ifcfg.MediaRequest) error {
	l, t, err := k.driver(index)
	if err != nil {
		return err
	}
	return setMedia(t, l.Name, m)
}

// Caps implements ifcfg.Offloads.
func (k *Kernel) Caps(index int) (map[int]ifcfg.Caps, error) {
	if k.pendingAt(index) != nil {
		return nil, nil // nothing does anything in its place yet
	}
	if index == 0 {
		return k.allCaps()
	}
	l, t, err := k.driver(index)
	if err != nil {
		return nil, err
	}
	f, err := t.Features(l.Name)
	if err != nil {
		return nil, failed(err)
	}
	c, err := withEEE(t, &l, featureCaps(&f))
	return map[int]ifcfg.Caps{index: c}, err
}

// allCaps asks for the features of all interfaces at once, which a kernel
// before 5.8 cannot tell.
func (k *Kernel) allCaps() (map[int]ifcfg.Caps, error) {
	t, err := k.ethtool()
	if err != nil {
		return nil, err
	}
	features, err := t.AllFeatures()
	if is(err, unix.EOPNOTSUPP) {
		features, err = eachFeatures(t, k.links)
	}
	if err != nil {
		return nil, failed(err)
	}
	out := make(map[int]ifcfg.Caps, len(features))
	var last eth.Features // most interfaces are like the one before
	var caps ifcfg.Caps
	for index, f := range features {
		l, ok := k.links[index]
		if !ok {
			continue // a new one, which nobody has asked for
		}
		if len(out) == 0 || !f.Equal(&last) {
			last, caps = f, featureCaps(&f)
		}
		if out[index], err = withEEE(t, &l, caps); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachFeatures asks for the features of the interfaces one by one. One that has
// gone since has none.
func eachFeatures(t offloadTool, links map[int]rtnl.Link) (map[int]eth.Features, error) {
	out := make(map[int]eth.Features, len(links))
	for index, l := range links {
		f, err := t.Features(l.Name)
		if is(err, unix.ENODEV, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[index] = f
	}
	return out, nil
}

// SetCaps implements ifcfg.Offloads.
func (k *Kernel) SetCaps(index int, on, off ifcfg.Cap) error {
	l, t, err := k.driver(index)
	if err != nil {
		return err
	}
	return setCaps(t, l.Name, on, off)
}

// SetEtherCaps implements ifcfg.Offloads.
func (k *Kernel) SetEtherCaps(index int, on, off ifcfg.EtherCap) error {
	l, t, err := k.driver(index)
	if err != nil {
		return err
	}
	return setEtherCaps(t, l.Name, on, off)
}
