//go:build !amd64

package kernel

// hypervisorSignature is empty: only x86 processors have one.
func hypervisorSignature() string { return "" }
