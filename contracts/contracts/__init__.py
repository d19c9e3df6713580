"""Every message on Tresor's bus, as models: the only thing that two services share."""
