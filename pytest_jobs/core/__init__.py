"""The reference job core: a small job library with the patterns of ActiveJob and Sidekiq."""
