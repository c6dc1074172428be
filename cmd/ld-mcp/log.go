package main

import (
	"log/slog"
	"slices"
	"time"

	"github.com/lmittmann/tint"
)

// newLogger returns the log of a command, on stderr: stdout belongs to the protocol and to replies.
func (a *app) newLogger(command string) *slog.Logger {
	level := slog.LevelWarn
	if slices.Contains([]string{"serve", "sandbox"}, command) {
		level = slog.LevelInfo
	}
	if a.LogLevel != "" {
		if err := level.UnmarshalText([]byte(a.LogLevel)); err != nil {
			panic(err) // the parser allows only the names of levels
		}
	}
	out := masked{a.stderr, a.secrets}
	if a.LogFormat == "text" || a.LogFormat == "auto" && a.isTerminal(a.stderr) {
		return slog.New(tint.NewTextHandler(out, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !a.colours(a.stderr)}))
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
}
