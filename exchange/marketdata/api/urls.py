"""Routes of public market data."""

from django.urls import path

from exchange.marketdata.api import views

urlpatterns = [
    path("markets", views.MarketsView.as_view()),
    path("markets/<str:symbol>", views.MarketView.as_view()),
    path("markets/<str:symbol>/book", views.BookView.as_view()),
    path("markets/<str:symbol>/trades", views.TradesView.as_view()),
    path("markets/<str:symbol>/auction", views.AuctionView.as_view()),
    path("markets/<str:symbol>/ticker", views.TickerView.as_view()),
    path("markets/<str:symbol>/candles", views.CandlesView.as_view()),
    path("segments", views.SegmentsView.as_view()),
    path("tickers", views.TickersView.as_view()),
    path("status", views.StatusView.as_view()),
    path("time", views.TimeView.as_view()),
]
