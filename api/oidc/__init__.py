"""Sign-in by OpenID Connect: authorization code with PKCE, group claims, logout from and at the provider."""
