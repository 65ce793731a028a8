package report

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1000: "1.00 µs", 12_345: "12.3 µs", 999_400: "999 µs", 999_600: "1.00 ms",
		1_234_567: "1.23 ms", 123_456_789: "123 ms", 1_900_000_000: "1.90 s", 90 * time.Minute: "5400 s", -1_500_000: "-1.50 ms",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%d) = %q, want %q", int64(d), got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for fraction, want := range map[float64]string{
		0: "0.0%", 0.5: "50.0%", 0.52666: "52.7%", 1: "100.0%", 0.001: "0.10%", 0.00012: "0.012%", 0.0099: "0.99%", 0.00999: "1.0%", -0.0123: "-1.2%",
	} {
		if got := percent(fraction); got != want {
			t.Errorf("percent(%v) = %q, want %q", fraction, got, want)
		}
	}
}

func TestPValue(t *testing.T) {
	for p, want := range map[float64]string{
		0: "p < 0.0001", 0.00009: "p < 0.0001", 0.0001: "p = 0.000100", 0.0123: "p = 0.0123", 0.3557: "p = 0.356", 0.99: "p = 0.990", 1: "p > 0.999",
	} {
		if got := pValue(p); got != want {
			t.Errorf("pValue(%v) = %q, want %q", p, got, want)
		}
	}
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.853: "0.853", 2.41: "2.41", 3797.94: "3798", 123456: "123456", 1.5e-7: "1.5e-07", -0.05: "-0.05", 100: "100"} {
		if got := figure(x, 4); got != want {
			t.Errorf("figure(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 19623: "19,623", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := whole(n); got != want {
			t.Errorf("whole(%d) = %q, want %q", n, got, want)
		}
	}
}
