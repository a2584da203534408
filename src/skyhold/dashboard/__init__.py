"""Pages over public functions of the layers below: server-rendered, live by server-sent events, without logic."""
