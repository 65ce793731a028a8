package docker

import "maps"

// came notes where a program came from.
func (s *sidecars) came(program, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin[program] = from
}

// origins are the programs in the path, where they came from, and their
// versions.
func (s *sidecars) origins() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.onHost.Origins()
	maps.Copy(all, s.origin)
	return all
}
