"""A gate that stops pull requests which make a language-model product worse."""

__version__ = "0.1.0"
