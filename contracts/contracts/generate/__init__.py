"""JSON Schemas, AsyncAPI and the messages' reference, made from the models: `python -m contracts.generate`."""
