"""Forecasts of price series: data, features, losses, metrics, baselines, backtest."""
