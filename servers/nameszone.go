package servers

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// plainSize is the most bytes of an answer by UDP to a client that says
	// nothing else (RFC 1035, 4.2.1).
	plainSize = 512
	// ednsSize is the most bytes of any answer by UDP: it is not fragmented on
	// the way (DNS flag day 2020; RFC 9715).
	ednsSize = 1232
	// streamSize is the most bytes of an answer by TCP (RFC 1035, 4.2.2).
	streamSize = 1<<16 - 1
	// badVersion is the response code BADVERS (RFC 6891, 9).
	badVersion dnsmessage.RCode = 16
)

// zone is what a name server knows: the addresses of one name, and that there
// are no names below it.
type zone struct {
	name  dnsmessage.Name
	ttl   uint32 // seconds
	order string
	ipv4  records
	ipv6  records
}

// records are the addresses of one type. Each type has a turn of its own, as
// BIND has it: a client that asks for both would else be given every other one.
type records struct {
	addresses []netip.Addr
	asked     atomic.Uint64
}

func newZone(c NamesConfig) *zone {
	z := &zone{name: c.Name, ttl: uint32(c.TTL / time.Second), order: c.Order}
	for _, a := range c.Addresses {
		r := &z.ipv6
		if a.Is4() {
			r = &z.ipv4
		}
		r.addresses = append(r.addresses, a)
	}
	return z
}

// question is what a message asks, as far as it matters here.
type question struct {
	dnsmessage.Question
	edns bool // the message has an OPT record (RFC 6891)
	most int  // bytes of an answer by UDP
}

// answer gives the answer to a message, in at most so many bytes as it allows
// or, by TCP, as there can be. It is nil where the message is no question at
// all: to answer that could go on for ever.
func (z *zone) answer(message []byte, byTCP bool) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.Response {
		return nil
	}
	reply := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired}
	q, code := ask(&p, h)
	if code != dnsmessage.RCodeSuccess {
		reply.RCode = code
		return q.pack(reply, nil, nil)
	}
	most := q.most
	if byTCP {
		most = streamSize
	}
	answers, authorities := z.find(&reply, q.Question)
	text := q.pack(reply, answers, authorities)
	switch {
	case len(text) > most:
		// The client asks again by TCP (RFC 7766, 5): that will be its turn.
		reply.Truncated = true
		text = q.pack(reply, nil, nil)
	case len(answers) > 1:
		text = q.pack(reply, z.of(q.Type).arrange(answers, z.order), authorities)
	}
	return text
}

// of gives the records of a type of address.
func (z *zone) of(kind dnsmessage.Type) *records {
	if kind == dnsmessage.TypeA {
		return &z.ipv4
	}
	return &z.ipv6
}

// ask reads the one question of a message.
func ask(p *dnsmessage.Parser, h dnsmessage.Header) (q question, code dnsmessage.RCode) {
	if h.OpCode != 0 {
		return q, dnsmessage.RCodeNotImplemented
	}
	q.most = plainSize
	all, err := p.AllQuestions()
	if err != nil || len(all) != 1 || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, dnsmessage.RCodeFormatError
	}
	q.Question = all[0]
	for {
		r, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return q, dnsmessage.RCodeSuccess
		}
		if err != nil || p.SkipAdditional() != nil || r.Type == dnsmessage.TypeOPT && q.edns {
			return q, dnsmessage.RCodeFormatError
		}
		if r.Type != dnsmessage.TypeOPT {
			continue
		}
		q.edns, q.most = true, min(max(int(r.Class), plainSize), ednsSize)
		if version := r.TTL >> 16 & 0xff; version != 0 {
			return q, badVersion
		}
	}
}

// find gives the records that answer a question, or those that say that there
// are none (RFC 2308, 2), and puts into the header what is to be said there.
func (z *zone) find(reply *dnsmessage.Header, q dnsmessage.Question) (answers, authorities []dnsmessage.Resource) {
	asked, own := strings.ToLower(q.Name.String()), strings.ToLower(z.name.String())
	below := strings.HasSuffix(asked, "."+own)
	if asked != own && !below || q.Class != dnsmessage.ClassINET {
		reply.RCode = dnsmessage.RCodeRefused // it is no zone of this server's
		return nil, nil
	}
	reply.Authoritative = true
	switch {
	case below:
		reply.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA:
		answers = z.resources(q.Name, z.of(q.Type).addresses)
	case q.Type == dnsmessage.TypeSOA:
		return []dnsmessage.Resource{z.start()}, nil
	}
	if len(answers) == 0 {
		authorities = []dnsmessage.Resource{z.start()}
	}
	return answers, authorities
}

// start is the record with which a zone starts. Its last field is how long it
// may be kept that there is no such record (RFC 2308, 4).
func (z *zone) start() dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: z.name, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: z.ttl},
		Body: &dnsmessage.SOAResource{
			NS: z.name, MBox: z.name, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: z.ttl,
		},
	}
}

// resources are addresses of one type, in the order in which they are configured.
func (z *zone) resources(name dnsmessage.Name, addresses []netip.Addr) []dnsmessage.Resource {
	var all []dnsmessage.Resource
	for _, a := range addresses {
		h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: z.ttl}
		if a.Is4() {
			all = append(all, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		} else {
			all = append(all, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return all
}

// arrange puts at least one record into the order in which this answer is to
// give them.
func (r *records) arrange(all []dnsmessage.Resource, order string) []dnsmessage.Resource {
	switch order {
	case OrderRandom:
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	case OrderRotate:
		first := int((r.asked.Add(1) - 1) % uint64(len(all)))
		return slices.Concat(all[first:], all[:first])
	}
	return all
}

// pack writes an answer; a question that could not be read is left out.
func (q question) pack(h dnsmessage.Header, answers, authorities []dnsmessage.Resource) []byte {
	m := dnsmessage.Message{Answers: answers, Authorities: authorities}
	if q.Name.Length > 0 {
		m.Questions = []dnsmessage.Question{q.Question}
	}
	if q.edns {
		opt := dnsmessage.ResourceHeader{}
		// The upper bits of the code are in the record.
		if err := opt.SetEDNS0(ednsSize, h.RCode, false); err != nil {
			return nil
		}
		m.Additionals = []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{}}}
	}
	h.RCode &= 0xf
	m.Header = h
	text, err := m.Pack()
	if err != nil {
		return nil // what cannot be written in answer to it was no question
	}
	return text
}
