// Package policy reads LaunchDarkly's role policies and tells what they allow,
// as far as that can be told: what depends on something that was not read is
// unknown, never guessed.
package policy
