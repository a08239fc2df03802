"""Does a model fit here: does it click what it is asked for, and in which numbers does it write?"""
