package lab

// pageBits is how many neighbours a page of a [Bitset] holds.
const (
	pageShift = 12
	pageBits  = 1 << pageShift
)

// Bitset is a set of numbers of which most have neighbours in it, such as
// those of connections: a bit for each, in pages that are made when they are
// needed. The zero value is empty.
type Bitset struct {
	pages map[int]*[pageBits / 64]uint64
	last  *[pageBits / 64]uint64 // the page that was used last, and its number
	at    int
}

// Add adds n and says whether it is new.
func (b *Bitset) Add(n int) bool {
	number := n >> pageShift // rounds down below zero too
	if b.last == nil || b.at != number {
		b.last, b.at = b.page(number), number
	}
	bit := uint(n) % pageBits
	word, mask := &b.last[bit/64], uint64(1)<<(bit%64)
	if *word&mask != 0 {
		return false
	}
	*word |= mask
	return true
}

func (b *Bitset) page(number int) *[pageBits / 64]uint64 {
	if b.pages == nil {
		b.pages = map[int]*[pageBits / 64]uint64{}
	}
	p := b.pages[number]
	if p == nil {
		p = new([pageBits / 64]uint64)
		b.pages[number] = p
	}
	return p
}
