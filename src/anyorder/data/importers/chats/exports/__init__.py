"""What people download of their own conversations, from the services that they talk to."""
