"""A local page to try out a checkpoint: hide parts of an episode, ask the model, and let the agent act.

`scene` says what an episode is to the server; `grid_scenes`, `field_scenes` and `text_scenes` find and play them (`grid_live`,
`field_stage` and `text_stage` hold the environments), `replies` answers what is asked of them, `wire` says what the page may
send, `server` joins them; ``page/`` is what the browser gets. The page sends everything that an answer depends on (which
episode, which roles), so the server keeps no state but caches.
"""
