"""The lowest floor: the words of the trade as types. Imports nothing of the project but itself."""
