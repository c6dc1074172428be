package sandbox

// metricUse is a metric, or a group of them, as an iteration shows it; nil where there is none.
func (p *project) metricUse(key string, group bool) *metricUse {
	if group {
		g := p.metricGroup(key)
		if g == nil {
			return nil
		}
		return &metricUse{links{"self": linkTo("projects", p.Key, "metric-groups", key)}, g.Key, g.ID, g.Name, g.Kind, true}
	}
	m := p.metric(key)
	if m == nil || m.Archived {
		return nil
	}
	return &metricUse{links{"self": linkTo("metrics", p.Key, key)}, m.Key, m.VersionID, m.Name, m.Kind, false}
}
