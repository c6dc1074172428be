package tools

import (
	"github.com/ld-mcp/ld-mcp/ldclient"
)

// Shared argument groups. A tool's input embeds one at group, which tells the
// guard, the log and the errors what the call touches, and, when the tool
// writes, because. A key whose name says it all has no doc. alias lists other spellings that are accepted; default is
// used where neither the caller nor the configuration gives a value.

type atProject struct {
	Project string `json:"projectKey" alias:"project"`
}

func (a atProject) target() ldclient.Target { return ldclient.Target{Project: a.Project} }

type atEnvironment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey" alias:"env,environment"`
}

func (a atEnvironment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment}
}

// inEnvironment is atEnvironment for tools that read, which may fall back to production.
type inEnvironment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
}

func (a inEnvironment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment}
}

// atFlag is a flag as a whole, in all environments.
type atFlag struct {
	Project string `json:"projectKey" alias:"project"`
	Flag    string `json:"flagKey" alias:"flag,featureFlagKey,key"`
}

func (a atFlag) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Kind: "flag", Key: a.Flag}
}

type atFlagEnvironment struct {
	Project     string `json:"projectKey" alias:"project"`
	Flag        string `json:"flagKey" alias:"flag,featureFlagKey,key"`
	Environment string `json:"environmentKey" alias:"env,environment"`
}

func (a atFlagEnvironment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "flag", Key: a.Flag}
}

// inFlagEnvironment is atFlagEnvironment for tools that read, which may fall back to production.
type inFlagEnvironment struct {
	Project     string `json:"projectKey" alias:"project"`
	Flag        string `json:"flagKey" alias:"flag,featureFlagKey,key"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
}

func (a inFlagEnvironment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "flag", Key: a.Flag}
}

type atSegment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey" alias:"env,environment"`
	Segment     string `json:"segmentKey" alias:"segment,key"`
}

func (a atSegment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "segment", Key: a.Segment}
}

// inSegment is atSegment for tools that read, which may fall back to production.
type inSegment struct {
	Project     string `json:"projectKey" alias:"project"`
	Environment string `json:"environmentKey,omitempty" alias:"env,environment" default:"production" told:"true" doc:"production if not given"`
	Segment     string `json:"segmentKey" alias:"segment,key"`
}

func (a inSegment) target() ldclient.Target {
	return ldclient.Target{Project: a.Project, Environment: a.Environment, Kind: "segment", Key: a.Segment}
}

// because is what every writer takes besides its own arguments.
type because struct {
	Comment string `json:"comment,omitempty" alias:"reason" told:"true" doc:"Why, for the audit log"`
	Confirm string `json:"confirm,omitempty" told:"true" doc:"What a reply asks for, once the user agreed"`
	DryRun  bool   `json:"dryRun,omitempty" told:"true" doc:"Show before and after, write nothing"`
}

func (b because) given() because { return b }

var _ interface{ given() because } = because{}

// longLists leads through what a detail shows ten of.
type longLists struct {
	RulesOffset  int `json:"rulesOffset,omitempty" jsonschema:"minimum=0,maximum=100000" told:"true" doc:"Rules to skip; a reply shows ten"`
	ValuesOffset int `json:"valuesOffset,omitempty" jsonschema:"minimum=0,maximum=100000" told:"true" doc:"Targeted keys and clause values to skip; a reply shows ten of each"`
}

type paged struct {
	Limit  int `json:"limit,omitempty" jsonschema:"minimum=1,maximum=200" default:"20" told:"true" doc:"1 to 200, 20 if not given"`
	Offset int `json:"offset,omitempty" jsonschema:"minimum=0,maximum=1000000" told:"true" doc:"nextOffset of the last reply"`
}
