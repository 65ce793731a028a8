package samples

// magic begins a stream of samples, and version says how the rest is written.
const (
	magic   = "portlab\n"
	version = 1
)

// kind is how a field is written.
type kind byte

const (
	signed   kind = 0 // a number from -2^63 to 2^63-1
	unsigned kind = 1 // a number from 0 to 2^64-1
	text     kind = 2
)

// The bounds of a stream: a reader refuses what is beyond them, so that a
// damaged stream takes no more memory than these allow.
const (
	maxFields = 63 // a tag has one bit for each, and one more value
	maxName   = 64 // bytes of a field's name

	// MaxText is the most bytes of a text, such as the detail of a fault. What
	// is longer is cut.
	MaxText = 65_535

	// A text is remembered, so that it is written once, if it is no longer than
	// maxKept bytes and fewer than maxTexts of its field are remembered.
	maxKept  = 255
	maxTexts = 4096
)

// field is how one field of a sample is written: as its difference from what
// is expected of it. That is its value in the sample before, or the value of
// an earlier field of the same sample, plus a step.
type field struct {
	name string
	kind kind
	base int   // 0: the sample before; n: the field n-1 of the same sample
	step int64 // of a number
}

// The fields, those that change most first: they have the low bits of a tag.
const (
	due = iota
	begun
	firstByte
	done
	connected
	localPort
	replicaConnection
	instance
	service
	connection
	request
	sawPort
	replicaRequest
	target
	local
	saw
	status
	closedFirst
	fault
	detail
	duplicates
	reordered
	fieldCount
)

// layout is what this version writes. A reader knows fields by their names, so
// that fields may be added, left out or put into another order.
var layout = [fieldCount]field{
	due:               {name: "due_ns"},
	begun:             {name: "begun_ns", base: due + 1},
	firstByte:         {name: "first_byte_ns", base: begun + 1},
	done:              {name: "done_ns", base: firstByte + 1},
	connected:         {name: "connected_ns", base: begun + 1},
	localPort:         {name: "local_port", kind: unsigned},
	replicaConnection: {name: "replica_connection", kind: unsigned},
	instance:          {name: "instance", kind: text},
	service:           {name: "service_ns"},
	connection:        {name: "connection", step: 1},
	request:           {name: "request", step: 1},
	sawPort:           {name: "replica_saw_port", kind: unsigned, base: localPort + 1},
	replicaRequest:    {name: "replica_request", kind: unsigned},
	target:            {name: "target", kind: text},
	local:             {name: "local_address", kind: text},
	saw:               {name: "replica_saw_address", kind: text},
	status:            {name: "status"},
	closedFirst:       {name: "closed_first", kind: text},
	fault:             {name: "fault", kind: text},
	detail:            {name: "detail", kind: text},
	duplicates:        {name: "duplicates"},
	reordered:         {name: "reordered", kind: unsigned},
}
