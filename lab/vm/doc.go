// Package vm makes small virtual machines from a distribution's packages and
// runs this program on their kernels, which may have what this machine's has
// not: IPVS, IPVLAN, NETEM, or another release. A machine is thrown away after
// use, and nothing of it outlives the process that started it.
//
// An image (a kernel, an initramfs and for a machine with Docker a disk) is made
// once and kept in the user's cache. QEMU runs it, by KVM where that works, else
// by emulation.
package vm
