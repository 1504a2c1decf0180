//! HTTP, session codecs, Server-Sent Events, limits, metrics, embedded pages.
