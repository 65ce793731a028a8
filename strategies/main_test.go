package strategies

import (
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// TestMain waits for its turn: some tests make namespaces and start processes.
func TestMain(m *testing.M) { labtest.Main(m) }
