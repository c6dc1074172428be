package ldclient

import (
	"context"
	"net/url"
	"strings"
)

// DestinationsService reads Data Export destinations.
type DestinationsService service

// Destination receives the raw events of one environment. What its config holds is not decoded.
type Destination struct {
	ID      string     `json:"_id"`
	Name    string     `json:"name"`
	Kind    string     `json:"kind"` // kinesis, segment, snowflake-v2, ...
	Version float64    `json:"version"`
	Config  FieldNames `json:"config"`
	On      bool       `json:"on"`
	Links   struct {
		Self struct {
			Href string `json:"href"`
		} `json:"self"`
	} `json:"_links"`
}

func (d *Destination) missing() string {
	if d.ID == "" {
		return "destination"
	}
	return ""
}

// Place returns the keys of the project and environment that a destination belongs to, which its link alone tells; "" where it does not.
func (d *Destination) Place() (project, environment string) {
	_, rest, ok := strings.Cut(d.Links.Self.Href, "/destinations/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", ""
	}
	for i, p := range parts[:2] {
		key, err := url.PathUnescape(p)
		if err != nil || CheckKey(key) != nil {
			return "", ""
		}
		parts[i] = key
	}
	return parts[0], parts[1]
}

// List returns the destinations of all projects and environments.
func (s *DestinationsService) List(ctx context.Context) ([]Destination, error) {
	return everyItem[Destination](ctx, s.c, Target{}, path("destinations"))
}

// Get returns one destination.
func (s *DestinationsService) Get(ctx context.Context, project, environment, id string) (*Destination, error) {
	return get[Destination](ctx, s.c, Target{Project: project, Environment: environment, Kind: "destination", Key: id}, path("destinations", project, environment, id), nil)
}
