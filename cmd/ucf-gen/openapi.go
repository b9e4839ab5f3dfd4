package main

import (
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/httpapi"
)

// openAPI writes docs/openapi.json as a server with default settings answers it.
func openAPI() ([]generated, error) {
	cfg, err := config.Load(config.Source{})
	if err != nil {
		return nil, err
	}
	doc, err := httpapi.OpenAPI(httpapi.Options{Name: cfg.AppName, Description: cfg.AppDescription, Version: "0", Prefix: cfg.APIPrefix, Listen: cfg.Listen})
	if err != nil {
		return nil, err
	}
	return []generated{{"docs/openapi.json", append(doc, '\n')}}, nil
}
