"""Routes of a member's money and metal: history, fees, statements."""

from django.urls import path

from exchange.funds.api import views

urlpatterns = [
    path("balances/history", views.HistoryView.as_view()),
    path("fees", views.FeesView.as_view()),
    path("statements", views.StatementsView.as_view()),
]
