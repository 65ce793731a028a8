package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pids lists the processes that /proc shows, without this one.
func pids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var all []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			all = append(all, pid)
		}
	}
	return all, nil
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// environOf is the environment that a process was started with; nothing if it
// is gone or may not be read.
func environOf(pid int) map[string]string {
	text, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil {
		return nil
	}
	vars := map[string]string{}
	for v := range bytes.SplitSeq(text, []byte{0}) {
		if key, value, ok := strings.Cut(string(v), "="); ok && strings.HasPrefix(key, "PORTLAB_") {
			vars[key] = value
		}
	}
	return vars
}

// instanceOf is the name that a replica's process was started with (INSTANCE);
// empty if it is none, is gone or may not be read.
func instanceOf(pid int) string {
	text, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil {
		return ""
	}
	for v := range bytes.SplitSeq(text, []byte{0}) {
		if name, ok := bytes.CutPrefix(v, []byte("INSTANCE=")); ok {
			return string(name)
		}
	}
	return ""
}

// commandOf is a process's command line, for people.
func commandOf(pid int) string {
	text, err := os.ReadFile(procFile(pid, "cmdline"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
}

// sessionOf is the session that a process belongs to (setsid(2)); 0 if it is gone.
func sessionOf(pid int) int {
	text, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return 0
	}
	return parseSession(string(text))
}

// parseSession takes the session out of /proc/PID/stat (proc_pid_stat(5)). The
// command's name, in parentheses, may itself hold spaces and parentheses.
func parseSession(stat string) int {
	_, rest, _ := cutLast(stat, ")")
	fields := strings.Fields(rest) // state, ppid, pgrp, session, ...
	if len(fields) < 4 {
		return 0
	}
	session, err := strconv.Atoi(fields[3])
	if err != nil {
		return 0
	}
	return session
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// holds says whether a process has one of these sockets open.
func holds(pid int, inodes []uint64) bool {
	dir := procFile(pid, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if inode, ok := socketInode(target); ok && slices.Contains(inodes, inode) {
			return true
		}
	}
	return false
}

// socketInode reads what /proc/PID/fd/N points to where N is a socket.
func socketInode(target string) (uint64, bool) {
	text, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	return inode, err == nil
}
