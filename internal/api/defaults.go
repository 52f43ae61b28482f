package api

func defaultMethods(a *API) {}
