package ldclient

// PromptSnippetsService reads and changes prompt snippets.
type PromptSnippetsService service
