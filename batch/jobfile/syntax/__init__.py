"""The syntax of a job file: YAML and JSON Lines become trees and rows, each value with its place."""
