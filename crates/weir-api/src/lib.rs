//! HTTP: API types, OpenAPI, authentication, status page
