package atlassiantest

// Config returns a complete configuration of a product's connector for one of its auth methods; a site behind the gateway
// is [SiteURL] by OAuth, and else at the address.
func Config(method, address string) map[string]any {
	switch method {
	case "oauth2":
		return map[string]any{
			"auth_method": method, "base_url": SiteURL, "access_token": Token,
			"refresh_token": "refresh-" + Token, "client_secret": "client-secret-of-the-app",
		}
	case "scoped_token":
		return map[string]any{"auth_method": method, "base_url": address, "api_email": "you@example.com", "api_token": Token}
	case "personal_token":
		return map[string]any{"auth_method": method, "base_url": address, "personal_token": Token}
	}
	return map[string]any{"base_url": address, "api_email": "you@example.com", "api_token": Token}
}
