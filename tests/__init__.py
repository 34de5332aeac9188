"""The tests, from fast to slow: unit, integration, docs, packaging and e2e; and the campaign."""
