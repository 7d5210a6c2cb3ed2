// Starts the reference of the API: a page may have no script of its own.
SwaggerUIBundle({
  url: '/schema/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
