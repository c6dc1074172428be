package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (a *Account) applicationRoutes() {
	a.route("GET /applications", a.listApplications)
	a.route("GET /applications/{application}", a.getApplication)
	a.route("GET /applications/{application}/versions", a.listApplicationVersions)
}

// application is a program that SDKs named, or that somebody added by hand.
type application struct {
	Key, Name, Kind, Description string
	AutoAdded                    bool
	Created                      int64
	Maintainer                   *member
	Versions                     []*applicationVersion
}

type applicationVersion struct {
	Key, Name string
	AutoAdded bool
	Supported *bool
	Created   int64
}

func (x *application) rep() map[string]any {
	rep := map[string]any{"key": x.Key, "name": x.Name, "kind": x.Kind, "autoAdded": x.AutoAdded, "creationDate": x.Created, "_version": 1,
		"_links": links{"self": linkTo("applications", x.Key)}}
	if x.Description != "" {
		rep["description"] = x.Description
	}
	if x.Maintainer != nil {
		rep["_maintainer"] = map[string]any{"member": x.Maintainer.summary()}
	}
	return rep
}

// found lists the items that the request's filter holds for, in its order.
func found[T any](r *http.Request, items []T, holds func(T, condition) (bool, error), sorts map[string]func(a, b T) int) ([]T, error) {
	filter, err := parseExpression(r.URL.Query().Get("filter"))
	if err != nil {
		return nil, err
	}
	var out []T
	for _, item := range items {
		ok, err := filter.match(func(c condition) (bool, error) { return holds(item, c) })
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, sortItems(out, r.URL.Query().Get("sort"), sorts)
}

func (a *Account) listApplications(w http.ResponseWriter, r *http.Request) {
	list, err := found(r, a.applications, (*application).matches, map[string]func(a, b *application) int{
		"creationDate": func(a, b *application) int { return cmp.Compare(a.Created, b.Created) },
		"name":         func(a, b *application) int { return strings.Compare(a.Name, b.Name) },
	})
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, list, anyLimit, (*application).rep)
}

func (x *application) matches(c condition) (bool, error) {
	switch c.field {
	case "key":
		return c.compare(x.Key)
	case "name":
		return c.compare(x.Name)
	case "kind":
		return c.compare(x.Kind)
	case "autoAdded":
		return c.compare(fmt.Sprint(x.AutoAdded))
	}
	return false, fmt.Errorf("invalid filter field %q", c.field)
}

// application finds the one named in the path; it answers and returns nil where there is none.
func (a *Account) application(w http.ResponseWriter, r *http.Request) *application {
	i := slices.IndexFunc(a.applications, func(x *application) bool { return x.Key == r.PathValue("application") })
	if i < 0 {
		fail(w, http.StatusNotFound, "not_found", "Unknown application")
		return nil
	}
	return a.applications[i]
}

func (a *Account) getApplication(w http.ResponseWriter, r *http.Request) {
	if x := a.application(w, r); x != nil {
		send(w, http.StatusOK, x.rep())
	}
}

func (a *Account) listApplicationVersions(w http.ResponseWriter, r *http.Request) {
	x := a.application(w, r)
	if x == nil {
		return
	}
	list, err := found(r, x.Versions, (*applicationVersion).matches, map[string]func(a, b *applicationVersion) int{
		"creationDate": func(a, b *applicationVersion) int { return cmp.Compare(a.Created, b.Created) },
		"name":         func(a, b *applicationVersion) int { return strings.Compare(a.Name, b.Name) },
	})
	if err != nil {
		badRequest(w, err)
		return
	}
	sendPage(w, r, list, anyLimit, func(v *applicationVersion) map[string]any {
		rep := map[string]any{"key": v.Key, "name": v.Name, "autoAdded": v.AutoAdded, "creationDate": v.Created, "_version": 1,
			"_links": links{"self": linkTo("applications", x.Key, "versions", v.Key)}}
		if v.Supported != nil {
			rep["supported"] = *v.Supported
		}
		return rep
	})
}

func (v *applicationVersion) matches(c condition) (bool, error) {
	switch c.field {
	case "key":
		return c.compare(v.Key)
	case "name":
		return c.compare(v.Name)
	case "supported":
		return c.compare(fmt.Sprint(v.Supported != nil && *v.Supported))
	case "autoAdded":
		return c.compare(fmt.Sprint(v.AutoAdded))
	}
	return false, fmt.Errorf("invalid filter field %q", c.field)
}

func (a *Account) seedApplications(ago func(time.Duration) int64) {
	yes, no := true, false
	version := func(key string, days int, supported *bool) *applicationVersion {
		return &applicationVersion{key, key, true, supported, ago(time.Duration(days) * day)}
	}
	a.applications = []*application{
		{"shop-web", "Shop, web", "browser", "", true, ago(380 * day), a.members[1], []*applicationVersion{version("2026.8", 20, nil), version("2026.9", 3, nil)}},
		{"com.example.shop", "Shop, iOS", "mobile", "The app in the store", true, ago(340 * day), nil,
			[]*applicationVersion{version("5.1.0", 120, &no), version("5.2.0", 60, &yes), version("5.2.1", 9, &yes)}},
		{"order-service", "Order service", "server", "Takes orders", false, ago(300 * day), a.members[4], nil},
	}
}
