from django.urls import path

from loans import views

urlpatterns = [
    path("loans/", views.lend),
    path("covers/", views.order_cover),
    path("covers/<str:result_id>/", views.cover),
]
