// Package netns is the embedded runtime: a lab with no container engine and no
// root. The host, the external client and each replica are network namespaces
// (network_namespaces(7)), linked by veth pairs and a bridge; replicas and
// proxies are processes. The mechanisms are the kernel's own, and nothing of
// the user's machine is touched.
//
// A command that uses it first enters a world of its own ([Enter]): namespaces
// that the kernel takes away with everything in them when the process ends,
// however it ends. As root a program may use the [Runtime] without a world,
// such as a test; it then needs a guard ([guard.Start]).
package netns
