package kernel

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// BusyShare waits for a while, and says for what share of that time all
// processors of the machine were busy. /proc/stat counts in ticks of 10 ms for
// each processor, so that a tenth of a second on two of them is told to a twentieth.
func BusyShare(ctx context.Context, during time.Duration) (float64, error) {
	before, _, err := machineTime()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-time.After(during):
	}
	after, _, err := machineTime()
	if err != nil {
		return 0, err
	}
	n, err := processors()
	if err != nil {
		return 0, err
	}
	return min((after-before).Seconds()/(time.Since(begun).Seconds()*float64(n)), 1), nil
}

// processors is how many processors /proc/stat counts, whether this process
// may use them or not.
func processors() (int, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("count the processors: %w", err)
	}
	if n := strings.Count(string(text), "\ncpu"); n > 0 {
		return n, nil
	}
	return 0, fmt.Errorf("count the processors: /proc/stat names none")
}

// LoadAverage is that of the last minute: how many processes ran or waited to,
// on average (proc_loadavg(5)).
func LoadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, fmt.Errorf("read the load average: %w", err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, fmt.Errorf("read the load average: %w", err)
	}
	return v, nil
}
