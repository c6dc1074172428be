package ldclient

// FollowersService reads and changes who follows flags.
type FollowersService service
