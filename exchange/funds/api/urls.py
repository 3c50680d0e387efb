"""Routes of a member's money and metal: history, fees, statements, deposits, withdrawals."""

from django.urls import path

from exchange.funds.api import bars, transfers, views

urlpatterns = [
    path("balances/history", views.HistoryView.as_view()),
    path("fees", views.FeesView.as_view()),
    path("statements", views.StatementsView.as_view()),
    path("deposits", transfers.DepositsView.as_view()),
    path("deposits/instructions", transfers.DepositInstructionsView.as_view()),
    path("withdrawals", transfers.WithdrawalsView.as_view()),
    path("withdrawals/<uuid:withdrawal_id>", transfers.WithdrawalView.as_view()),
    path("withdrawals/<uuid:withdrawal_id>/cancel", transfers.WithdrawalCancelView.as_view()),
    path("bars", bars.BarsView.as_view()),
    path("reserves/bars", bars.ReserveBarsView.as_view()),
    path("limits", transfers.LimitsView.as_view()),
    path("bank-accounts", transfers.BankAccountsView.as_view()),
]
