package docker

import "maps"

// origins are the programs in the path, where they came from, and their
// versions.
func (s *sidecars) origins() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.onHost.Origins()
	maps.Copy(all, s.origin)
	return all
}
