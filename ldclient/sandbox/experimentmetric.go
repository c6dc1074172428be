package sandbox

func (p *project) metricUse(key string, group bool) *metricUse {
	return &metricUse{Links: links{"self": linkTo("metrics", p.Key, key)}, Key: key, VersionID: key, Name: key, Kind: "custom", IsGroup: group}
}
