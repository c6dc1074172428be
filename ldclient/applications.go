package ldclient

import (
	"context"
	"fmt"
	"net/http"
)

// ApplicationsService reads applications and their versions.
type ApplicationsService service

// Application is a program that SDKs named when they asked for flags, or that somebody added by hand.
type Application struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	Kind        string `json:"kind"` // browser, mobile or server
	Description string `json:"description"`
	AutoAdded   bool   `json:"autoAdded"` // by an SDK
	Created     Millis `json:"creationDate"`
	Maintainer  *struct {
		Member *Person `json:"member"`
		Team   *struct {
			Key string `json:"key"`
		} `json:"team"`
	} `json:"_maintainer"`
}

func (a *Application) missing() string {
	if a.Key == "" {
		return "application"
	}
	return ""
}

// ApplicationVersion is one version of an application.
type ApplicationVersion struct {
	Key       string `json:"key"`
	Name      string `json:"name"`
	Supported *bool  `json:"supported"` // of a mobile application
	Created   Millis `json:"creationDate"`
}

// List returns one page of the account's applications, of all kinds where kind is "".
func (s *ApplicationsService) List(ctx context.Context, kind string, p Paging) (*Page[Application], error) {
	q := p.query()
	if kind != "" {
		q.Set("filter", fmt.Sprintf("kind equals %q", kind))
	}
	return do[Page[Application]](ctx, s.c, call{method: http.MethodGet, path: path("applications"), query: q, beta: true})
}

// Get returns one application.
func (s *ApplicationsService) Get(ctx context.Context, key string) (*Application, error) {
	return do[Application](ctx, s.c, call{method: http.MethodGet, at: Target{Kind: "application", Key: key}, path: path("applications", key), beta: true})
}

// Versions returns one page of an application's versions.
func (s *ApplicationsService) Versions(ctx context.Context, key string, p Paging) (*Page[ApplicationVersion], error) {
	return do[Page[ApplicationVersion]](ctx, s.c, call{method: http.MethodGet, at: Target{Kind: "application", Key: key},
		path: path("applications", key, "versions"), query: p.query(), beta: true})
}
