package ldclient

// ExperimentsService reads and changes experiments, holdouts and layers.
type ExperimentsService service
