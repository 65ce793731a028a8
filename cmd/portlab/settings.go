package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/strategies"
)

// settingFlags are the flags that set options of the strategy.
type settingFlags struct {
	method string
	set    []string
}

func (f *settingFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.method, lab.Method, "", "how the strategy chooses a replica, where it has several ways: the same as --set method=`VALUE`")
	c.Flags().StringArrayVar(&f.set, "set", nil, "set an option of the strategy, `OPTION=VALUE`; portlab list shows what each has")
	c.Flags().Lookup("set").DefValue = "" // else help shows []
	completeBy(c, lab.Method, func(s lab.Strategy) []string {
		for _, o := range lab.OptionsOf(s) {
			if o.Name == lab.Method {
				return o.Values
			}
		}
		return nil
	})
	completeBy(c, "set", func(s lab.Strategy) []string { return pairs("", lab.OptionsOf(s)) })
}

// strategy is the one that the words of a command line ask for: its name, with
// settings behind it perhaps, and the flags.
func (f *settingFlags) strategy(text string) (lab.Strategy, error) {
	s, err := strategies.Find(text)
	if err != nil {
		return nil, err
	}
	_, given, err := lab.ParseFullName(text)
	if err != nil {
		return nil, err
	}
	settings, err := f.beside(given)
	if err != nil {
		return nil, err
	}
	return lab.Configure(s, settings)
}

// beside adds what the flags set to what is given already. What is set to two
// values is a [lab.UsageError].
func (f *settingFlags) beside(given map[string]string) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, given)
	set := slices.Clone(f.set)
	if f.method != "" {
		set = append(set, lab.Method+"="+f.method)
	}
	for _, pair := range set {
		option, value, ok := strings.Cut(pair, "=")
		if !ok || option == "" || value == "" {
			return nil, lab.Usagef("--set wants OPTION=VALUE, such as method=random, not %q", pair)
		}
		if before, twice := all[option]; twice && before != value {
			return nil, lab.Usagef("%s is set to %s and to %s: leave one out", option, before, value)
		}
		all[option] = value
	}
	return all, nil
}

// completeBy completes a flag by words that depend on the strategy named before.
func completeBy(c *cobra.Command, flag string, words func(s lab.Strategy) []string) {
	err := c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := strategies.Find(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(s), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag was not defined: a mistake in this program
	}
}

// pairs are the settings that options may have, as they can be typed.
func pairs(prefix string, options []lab.Option) []string {
	var all []string
	for _, o := range options {
		for _, v := range o.Values {
			all = append(all, prefix+o.Name+"="+v+"\t"+o.Meaning)
		}
	}
	return all
}

// completeStrategy completes a command's first argument: a name and, behind a
// colon, settings.
func completeStrategy(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if words, ok := completeSettings(typed); ok {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, s := range strategies.All() {
		words = append(words, s.Name()+"\t"+s.About().Summary)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings completes what follows a strategy's colon, by the options
// that are not set yet.
func completeSettings(typed string) (words []string, ok bool) {
	name, list, ok := strings.Cut(typed, ":")
	if !ok {
		return nil, false
	}
	s, err := strategies.Find(name)
	if err != nil {
		return nil, true
	}
	before, last := name+":", list
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		before, last = name+":"+list[:i+1], list[i+1:]
	}
	open := slices.DeleteFunc(slices.Clone(lab.OptionsOf(s)), func(o lab.Option) bool {
		return strings.Contains(","+strings.TrimSuffix(list, last), ","+o.Name+"=")
	})
	return pairs(before, open), true
}
