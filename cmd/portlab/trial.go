package main

import (
	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// fleetFlags are the flags that say what is to be set up: those that run and
// explain share.
type fleetFlags struct {
	settingFlags
	viaFlags
	replicas     int
	weights      []float64
	port         uint16
	vantage      string
	runtime      string
	link         string
	image        string
	imagePort    uint16
	sidecarImage string
	ip           int
	protocol     string
	impair       []string
}

func (a *app) addFleetFlags(c *cobra.Command) *fleetFlags {
	f := &fleetFlags{}
	f.settingFlags.add(c)
	f.viaFlags.add(c)
	c.Flags().IntVar(&f.replicas, "replicas", 2, "how many replicas")
	c.Flags().Float64SliceVar(&f.weights, "weights", nil, "weights of the replicas, `W,W`, such as 3,1 (default equal)")
	c.Flags().Lookup("weights").DefValue = "" // else help shows []
	c.Flags().Uint16Var(&f.port, "port", 0, "port of the front; 0: the first free one from 8080 on")
	c.Flags().StringVar(&f.vantage, "vantage", string(lab.External), "where the client stands: external, host, localhost or peer")
	c.Flags().StringVar(&f.runtime, "runtime", anyRuntime, "what makes host and replicas: "+alternatives(a.runtimeWords())+
		"; auto takes the first of them that can do what is asked for")
	c.Flags().StringVar(&f.link, "link", string(lab.LinkBridge), "what replicas with a network namespace of their own are linked to the host by: "+
		alternatives(linkWords())+"; the last two need a kernel that has them")
	c.Flags().StringVar(&f.image, "image", "", "container image of a server of your own (default the instrumented http_server)")
	c.Flags().Uint16Var(&f.imagePort, "image-port", 0, "where the server in --image listens")
	c.Flags().StringVar(&f.sidecarImage, "sidecar-image", "", "container image to run a proxy from (default the runtime's choice)")
	c.Flags().IntVar(&f.ip, "ip", int(lab.IPv4), "IP version of front and replicas: 4 or 6")
	c.Flags().StringVar(&f.protocol, "protocol", string(lab.HTTP1), "what clients and replicas speak: "+alternatives(protocolWords()))
	f.addImpair(c)
	var vantages []string
	for _, v := range lab.Vantages() {
		vantages = append(vantages, string(v))
	}
	complete(c, "vantage", vantages...)
	complete(c, "runtime", a.runtimeWords()...)
	complete(c, "protocol", protocolWords()...)
	complete(c, "link", linkWords()...)
	return f
}

func linkWords() []string {
	var words []string
	for _, k := range lab.LinkKinds() {
		words = append(words, string(k))
	}
	return words
}

func protocolWords() []string {
	var words []string
	for _, p := range lab.Protocols() {
		words = append(words, string(p))
	}
	return words
}

// trial is what these flags ask of a strategy, checked but for what only a
// runtime can tell: it has none yet.
func (a *app) trial(strategy string, f *fleetFlags) (*lab.Trial, error) {
	s, err := f.strategy(strategy)
	if err != nil {
		return nil, err
	}
	v, err := lab.ParseVantage(f.vantage)
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	plan := defaultPlan()
	if plan.Protocol, err = lab.ParseProtocol(f.protocol); err != nil {
		return nil, err
	}
	link, err := lab.ParseLinkKind(f.link)
	if err != nil {
		return nil, err
	}
	front, err := f.front()
	if err != nil {
		return nil, err
	}
	if err := oneOf("runtime", f.runtime, a.runtimeWords()...); err != nil {
		return nil, err
	}
	impairments, err := f.impairments()
	if err != nil {
		return nil, err
	}
	t := &lab.Trial{Strategy: s, Vantage: v, Plan: plan, Impairments: impairments, Fleet: lab.FleetSpec{
		Run: lab.NewRunID(), Family: lab.Family(f.ip), Link: link, Replicas: f.replicas, Weights: f.weights,
		Port: f.port, Image: f.image, ImagePort: f.imagePort, SidecarImage: f.sidecarImage,
		FrontAddress: front,
	}}
	return t, t.Valid()
}

func (f *fleetFlags) check() error {
	switch {
	case f.ip != int(lab.IPv4) && f.ip != int(lab.IPv6):
		return lab.Usagef("--ip wants 4 or 6, not %d", f.ip)
	case f.imagePort != 0 && f.image == "":
		return lab.Usagef("--image-port says where the server in --image listens: give --image too")
	case f.image != "" && f.imagePort == 0:
		return lab.Usagef("say where the server in --image listens, with --image-port")
	}
	return nil
}
