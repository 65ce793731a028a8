package kernel

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A processor that is kept busy is seen, whoever else is busy too, and a wait
// that is cut off says why.
func TestBusyShareSeesABusyProcessor(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	turns := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n++
		}
		turns <- n
	}()
	share, err := BusyShare(t.Context(), 300*time.Millisecond)
	stop()
	<-turns
	all, e := processors()
	if err != nil || e != nil {
		t.Fatal(err, e)
	}
	if least := 0.5 / float64(all); share < least || share > 1 {
		t.Errorf("with one of %d processors busy, a share of %.2f is, want %.2f to 1", all, share, least)
	}
	cut, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := BusyShare(cut, time.Minute); !errors.Is(err, why) {
		t.Errorf("a wait that was cut off: %v", err)
	}
}

func TestLoadAverageIsRead(t *testing.T) {
	if v, err := LoadAverage(); err != nil || v < 0 {
		t.Errorf("load average %v, %v", v, err)
	}
}
