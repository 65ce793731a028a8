package netns

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// TestMain lets the test binary stand for a program with a world: what it does
// is named by its first argument.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || acts[os.Args[1]] == nil {
		labtest.Main(m)
		return
	}
	if Inside() {
		if err := Settle(); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
	}
	os.Exit(acts[os.Args[1]](os.Args[2:]))
}

var acts = map[string]func([]string) int{}

func init() {
	// enter does the act that follows in a world, until its standard input ends.
	acts["act-enter"] = func(args []string) int {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // that it ends is all that matters
			cancel()
		}()
		status, err := Enter(ctx, World{Args: args, Stdout: os.Stdout, Stderr: os.Stderr})
		if err != nil {
			fmt.Println(err)
			return 100
		}
		return status
	}
	// look says what a world is like.
	acts["act-look"] = func([]string) int {
		links, _ := os.ReadFile("/proc/self/net/dev")
		lock := os.WriteFile("/run/xtables.lock", nil, 0o600)
		_, netns := os.Stat("/run/netns")
		processes, _ := os.ReadDir("/proc/1/task")
		fmt.Println("inside", Inside(), "pid", os.Getpid(), "uid", os.Getuid(), "may", kernel.MayMakeNamespaces())
		fmt.Println("links", strings.Count(string(links), ":"), "lock", lock, "netns", os.IsNotExist(netns), "proc", len(processes) > 0)
		return 7
	}
	// stay starts a process in a session and a namespace of its own and stays
	// until it is told to end.
	acts["act-stay"] = func([]string) int {
		told := make(chan os.Signal, 2)
		signal.Notify(told, unix.SIGINT)
		ns, err := kernel.New()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		sleeper, _ := exec.LookPath("sleep")
		if _, err := kernel.Start(context.Background(), ns, kernel.Command{Run: "aaaaaa", Path: sleeper, Args: []string{"600"}}); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("up")
		<-told
		fmt.Println("told", len(told))
		return 9
	}
}
