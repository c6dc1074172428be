package ldclient

// FlagLinksService reads and changes the links of flags.
type FlagLinksService service
